"""The scorecards as Backstage's Tech Insights speaks of them: checks, their results, facts and their schemas."""
