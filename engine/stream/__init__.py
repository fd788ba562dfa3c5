"""The gate's stream: drained into rows, and what Postgres decided told to the gate."""
