"""Fuzz one reader, or all, in this process, which libFuzzer ends: `python -m tests.real.proof.fuzz.target NAME SECONDS CORPUS FOUND`.

New inputs go to the folder CORPUS. FOUND is how the path begins of an input that the reader does not survive.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import pkgutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import ModuleType

import atheris

from tests.real.proof.fuzz import ALL

SECONDS_PER_INPUT, MEGABYTES = 10, 1500
# The pure Python that is traced; what is compiled or a table would only take time.
_TRACED = ["mailpolicy", "tomli", "tests.readers", "defusedxml"]


class _PureTomli:
    """Finds the Python source of tomli beside the compiled modules, so that the syntax of TOML is explored too."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: ModuleType | None = None) -> object:
        if name.partition(".")[0] != "tomli":
            return None
        whole = importlib.machinery.PathFinder.find_spec("tomli")
        folder = Path((whole.submodule_search_locations or [""])[0]) if whole is not None else Path()
        source = folder / ("__init__.py" if name == "tomli" else f"{name.partition('.')[2]}.py")
        if not source.exists():
            return None
        search = [str(folder)] if name == "tomli" else None
        loader = importlib.machinery.SourceFileLoader(name, str(source))
        return importlib.util.spec_from_file_location(name, source, loader=loader, submodule_search_locations=search)


def main(name: str, seconds: str, corpus: str, found: str) -> None:
    """Fuzz a reader for so many seconds."""
    sys.meta_path.insert(0, _PureTomli)  # type: ignore[arg-type]
    with atheris.instrument_imports(include=_TRACED):
        import mailpolicy
        from tests.readers import READERS, survives

        # Most modules are imported where they are used, which would be too late to trace them.
        for module in pkgutil.walk_packages(mailpolicy.__path__, "mailpolicy."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    from tests.readers.words import words

    readers = list(READERS.values()) if name == ALL else [READERS[name]]

    def read(data: bytes) -> None:
        survives(readers[data[0] % len(readers)] if data else readers[0], data[1:])

    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder, "seeds")
        seeds.mkdir()
        for which, reader in enumerate(readers):
            for number, seed in enumerate(reader.seeds()):
                (seeds / f"{which}-{number}").write_bytes(seed if len(readers) == 1 else bytes([which]) + seed)
        dictionary = Path(folder, "words")
        dictionary.write_text("".join(f'"{word}"\n' for word in words()), encoding="ascii")
        arguments = [
            f"-max_total_time={seconds}",
            f"-timeout={SECONDS_PER_INPUT}",
            f"-rss_limit_mb={MEGABYTES}",
            f"-max_len={max(reader.longest for reader in readers)}",
            "-len_control=0",
            f"-dict={dictionary}",
            f"-artifact_prefix={found}",
            "-print_final_stats=1",
            "-verbosity=1",
        ]
        atheris.Setup(
            [sys.argv[0], *arguments, corpus, str(seeds)], read if len(readers) > 1 else partial(survives, readers[0])
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
