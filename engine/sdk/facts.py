"""What a click may carry beside who and what, where a playbook's rules ask for it."""

from enum import StrEnum


class Fact(StrEnum):
    """A fact about the person who clicks; a step finds it in `click` under its value."""

    NEWCOMER = "newcomer"  # true: none of their orders is paid, in any store
    DEVICE = "device"  # 16 hexadecimal digits, a hash of what the client calls its device; "" when it says nothing
    ADDRESS = "address"  # 16 hexadecimal digits, a hash of the network address
