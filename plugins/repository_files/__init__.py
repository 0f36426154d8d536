"""Facts out of the files of a repository: what a source's option `files` declares, asks for and answers."""
