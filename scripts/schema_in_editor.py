"""Ask an editor's language server about a scenario: completions, hover texts and errors from the JSON Schema.

    npm install --prefix DIR yaml-language-server
    python scripts/schema_in_editor.py DIR

Print what the server answers, and exit with 1 if a completion, a hover text or an error is missing.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SCENARIO = """\
name: editor
task: {dataset: digits, model: mlp, batch_size: 32, epochs: 1, learning_rate: 0.1}
matrix:
  algorithm: [ddp, {name: liec, average_period: 8}]
  workers: [2]
timing_precision: 0.05
"""
# What a right text of the scenario is replaced by.
WRONG = {"batch_size: 32": "batch_size: many", "epochs: 1": "epoch: 1", "[ddp,": "[dpp,"}


class Server:
    """The language server as a process. It reads and writes messages of JSON-RPC with a header each."""

    def __init__(self, program: Path, schema: Path) -> None:
        command = ["node", str(program), "--stdio"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._settings = {"schemas": {schema.as_uri(): ["*.yaml"]}, "schemaStore": {"enable": False}}
        self._number = 0
        self.ask("initialize", processId=None, rootUri=None, capabilities={"workspace": {"configuration": True}})
        self._send({"method": "initialized", "params": {}})

    def _send(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """Return the next message; answer the server's own requests, which are about its settings."""
        assert self._process.stdout is not None
        length = 0
        while header := self._process.stdout.readline().strip():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items", [])
            settings = [self._settings if item.get("section") == "yaml" else {} for item in items]
            self._send({"id": message["id"], "result": settings if items else None})
        return message

    def ask(self, method: str, **params: Any) -> Any:
        """Return the server's answer to a request."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while (message := self._receive()).get("id") != self._number or "method" in message:
            pass
        return message.get("result")

    def open(self, name: str, text: str) -> tuple[str, list[str]]:
        """Open a file in the editor, and return its address and the errors that are shown."""
        uri = (Path(tempfile.gettempdir()) / f"{name}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while (message := self._receive()).get("method") != "textDocument/publishDiagnostics":
            pass
        return uri, [found["message"] for found in message["params"]["diagnostics"]]

    def complete(self, text: str) -> list[str]:
        """Return the completions at the end of a text."""
        uri, _ = self.open(f"completion-{self._number}", text)
        line = text.count("\n")
        place = {"line": line, "character": len(text.splitlines()[line])}
        found = self.ask("textDocument/completion", textDocument={"uri": uri}, position=place)
        return sorted({item["label"] for item in found["items"]})

    def hover(self, uri: str, text: str, word: str) -> str:
        """Return what is shown when the pointer is on a word."""
        before = text[: text.index(word)]
        place = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2]) + 1}
        found = self.ask("textDocument/hover", textDocument={"uri": uri}, position=place)
        return str(found["contents"]["value"]) if found else ""

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


def main(directory: Path, temporary: Path) -> int:
    """Print the answers of the server that is installed in ``directory``, and return the exit code."""
    printed = subprocess.run(["liecbench", "schema"], capture_output=True, text=True, check=True)  # noqa: S607
    schema = temporary / "scenario.schema.json"
    schema.write_text(printed.stdout, encoding="utf-8")
    server = Server(directory / "node_modules/yaml-language-server/bin/yaml-language-server", schema)
    uri, errors = server.open("whole", SCENARIO)
    wrong = {text: server.open(text, SCENARIO.replace(right, text, 1))[1] for right, text in WRONG.items()}
    keys, methods = server.complete("name: x\ntask:\n  "), server.complete("name: x\nmatrix:\n  algorithm:\n    - ")
    hover = server.hover(uri, SCENARIO, "timing_precision")
    server.close()
    print(f"schema: {len(printed.stdout.encode())} bytes\nerrors of a right scenario: {errors}\nerrors: {wrong}")
    print(f"keys of task: {keys}\nmethods: {methods}\nhover on timing_precision: {hover!r}")
    told = not errors and all(wrong.values()) and {"epochs", "learning_rate"} <= set(keys) and "liec" in methods
    return 0 if told and "speed-up" in hover else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(sys.argv[1]), Path(temporary)))
