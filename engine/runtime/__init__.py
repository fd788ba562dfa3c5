"""Everything that starts things: settings into servers, pools, processes and commands."""
