"""One file per monitoring or deploy system; each a leaf that imports the contract and the HTTP client only."""
