"""Campaigns: a few checks that a part of the fleet is to pass by a day."""
