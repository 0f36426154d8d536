"""Our verdict on documents against that of Backstage's published model, document by document."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from catalog.format.documents import judge_documents
from tests.conftest import shared

EXAMPLES = Path(__file__).parents[2] / "examples"

ODD_VALUES = (
    "", "~", "5", "1.0", "yes", "true", "''", "[]", "{}", "[a]", "[5]", "{a: b}", "a b", "Ünï", "x" * 64, "x" * 300,
    "a/b:c", "a:b/c", ":x", "x/", "component:x", "2020-01-01", "0o17", "!!str 5", "'a'#x", "a#x", "[a, b", "'x", "a: b",
    "- a", "*a", "&a b", "@x", "{{ x }}", "|", "http://x", "constructor", "a\tb", "required",
)  # fmt: skip

COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: a
  namespace: n
  title: t
  description: d
  labels:
    a: b
  annotations:
    a/b: c
  tags:
    - t
  links:
    - url: http://x
      title: t
spec:
  type: t
  lifecycle: l
  owner: o
  system: s
  providesApis:
    - a
  dependsOn:
    - resource:r
"""
TEMPLATE = """\
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata:
  name: a
spec:
  type: t
  owner: o
  lifecycle: l
  parameters:
    - title: t
      backstage:permissions:
        tags:
          - t
  secrets:
    schema:
      type: object
  presentation:
    buttonLabels:
      backButtonText: b
      createButtonText: c
      reviewButtonText: r
  EXPERIMENTAL_recovery:
    EXPERIMENTAL_strategy: none
  formDecorators:
    - id: d
      input: {}
  steps:
    - id: s
      name: n
      action: a:b
      if: ${{ parameters.x }}
      input:
        a: b
      backstage:permissions:
        tags: [t]
  output:
    more: m
    links:
      - title: t
        url: u
        entityRef: e
        icon: i
        if: true
    text:
      - title: t
        content: c
        icon: i
        if: true
"""
HEAD = "apiVersion: backstage.io/v1beta1\nmetadata:\n  name: a\n"
DOCUMENTS = (
    COMPONENT,
    f"{HEAD}kind: Group\nspec:\n  type: t\n  profile:\n    email: e\n  parent: p\n  children: [c]\n  members: [m]\n",
    f"{HEAD}kind: User\nspec:\n  memberOf:\n    - g\n",
    f"{HEAD}kind: API\nspec:\n  type: t\n  lifecycle: l\n  owner: o\n  definition: |\n    x\n",
    f"{HEAD}kind: Domain\nspec:\n  owner: o\n  subdomainOf: d\n",
    f"{HEAD}kind: Location\nspec:\n  target: ./x\n  presence: optional\n",
    TEMPLATE,
)


def altered() -> Iterator[bytes]:
    """Yield each document without each of its lines, with it twice, and with each odd value in its place."""
    for text in DOCUMENTS:
        lines = text.splitlines(keepends=True)
        for index, line in enumerate(lines):
            before, after = "".join(lines[:index]), "".join(lines[index + 1 :])
            start = re.match(r"[^:]*:|\s*-|\s*", line).group()
            for new in ("", line * 2, line.replace("  ", "\t", 1), *(f"{start} {value}\n" for value in ODD_VALUES)):
                yield f"{before}{new}{after}".encode()


def theirs(clients: Path, files: list[bytes]) -> list[list[bool]]:
    encoded = json.dumps([base64.b64encode(content).decode() for content in files])
    done = subprocess.run(
        ["node", "catalog_model.cjs"], cwd=clients, input=encoded, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_alike(clients: Path, files: list[bytes]) -> int:
    different, judged = [], 0
    for content, verdicts in zip(files, theirs(clients, files), strict=True):
        documents = list(judge_documents(content))
        assert len(documents) == len(verdicts), content
        for document, is_good in zip(documents, verdicts, strict=True):
            judged += 1
            if (document.entity is not None) is not is_good:
                different.append((content.decode(errors="replace")[-400:], document.faults))
    assert different == []
    return judged


def test_real_files_are_judged_as_the_published_model_judges_them(clients):
    assert assert_alike(clients, [path.read_bytes() for path in sorted(EXAMPLES.rglob("*catalog*/*.y*ml"))]) > 10


def test_the_corpus_is_judged_as_the_published_model_judges_it(clients):
    assert (
        assert_alike(clients, [path.read_bytes() for path in sorted(shared("corpus", "catalog").glob("*.y*ml"))]) > 100
    )


def test_altered_documents_are_judged_as_the_published_model_judges_them(clients):
    assert assert_alike(clients, list(altered())[::2]) > 1500
