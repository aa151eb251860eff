"""The ``convrepro`` command."""
