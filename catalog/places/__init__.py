"""Places that catalog files are read from: which of them may be, and how each kind is asked."""
