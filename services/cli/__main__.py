from __future__ import annotations

from services.cli.app import app


def main() -> None:
    """The console command `tradermagic`."""
    app(prog_name="tradermagic")


if __name__ == "__main__":
    main()
