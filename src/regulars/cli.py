"""Command line: parse and print only."""


def main() -> None:
    """Run the command line."""
