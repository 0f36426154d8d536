"""Reading the catalog: filters, order, pages, facets, in the shapes of Backstage's catalog API."""
