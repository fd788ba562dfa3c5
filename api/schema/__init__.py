"""What is sent and answered: bodies, operations, examples, and the OpenAPI page made of them."""
