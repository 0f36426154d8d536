"""The `portal` command's subcommands, a file per package they act on."""
