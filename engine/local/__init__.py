"""`wanfa up`: embedded servers, the supervisor, the state folder, the demo."""
