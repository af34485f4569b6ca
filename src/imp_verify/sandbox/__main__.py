"""`python -m imp_verify.sandbox`: the command `imp-verify sandbox`, for shops in any language."""

from __future__ import annotations

import sys

NAME = "python -m imp_verify.sandbox"


def main() -> int:
    """Run the command and return its exit status."""
    try:
        import click

        from imp_verify.sandbox.command import TROUBLE, sandbox
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        needed = 'pip install "imp-verify[sandbox]"'
        print(f"imp-verify: {error}; the command needs: {needed}", file=sys.stderr)
        return 2
    try:
        status: object = sandbox.main(prog_name=NAME, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # Ctrl-C before it could answer
        return TROUBLE
    return status if isinstance(status, int) else 0


if __name__ == "__main__":
    sys.exit(main())
