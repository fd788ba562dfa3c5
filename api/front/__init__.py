"""The public port: HTTP/1.1 spoken by wanfa itself, in granian's worker loop."""
