"""Proves from outside that nothing was oversold, lost or done twice. Shares no code with the engine."""
