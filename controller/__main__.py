"""`python -m controller` is the `pointsman` command."""

from controller.cli.app import main

if __name__ == "__main__":
    main()
