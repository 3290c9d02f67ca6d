import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_of_methods_is_what_its_script_makes_of_the_classes() -> None:
    script = ROOT / "scripts" / "methods_page.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (ROOT / "docs" / "methods.md").read_text(encoding="utf-8"), (
        "bring the page up to date: python scripts/methods_page.py > docs/methods.md"
    )
