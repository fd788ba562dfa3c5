"""The hot routes: what a click or a read of a sale passes through, beside Litestar."""
