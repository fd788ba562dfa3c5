"""Tests of the Lua commands on a real Valkey, alone and as a one-node cluster."""
