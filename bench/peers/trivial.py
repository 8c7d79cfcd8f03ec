"""A Typer application with one command that does nothing: what any program built on Typer pays."""

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.command()
def answer(name: str) -> None:
    """Say allow."""
    print("allow")


if __name__ == "__main__":
    app()
