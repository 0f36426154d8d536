"""How a source is talked to: deadlines, retries, failures in words, and no secrets in any of them."""
