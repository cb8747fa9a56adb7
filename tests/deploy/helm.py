"""Runs Helm's own engine, by helm-python-sdk, for the tests of the chart.

    helm.py render CHART           renders the releases on standard input, a JSON list of objects with
                                   `values`, `name` and `namespace`: the text of each template and the
                                   objects, or the error with which the engine refuses the values
    helm.py lint CHART             what `helm lint --strict` finds
    helm.py package CHART FOLDER   packs the chart: the path of the archive
    helm.py documents CHART        values.yaml and the table of the README, from the schema

Each prints JSON.
"""

import json
import os
import sys
import textwrap

# The library writes a line for each symbolic link that it follows.
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

import helm_python
import yaml


def render(path):
    releases = json.load(sys.stdin)
    with helm_python.Chart.load(path) as chart:
        return [rendered(chart, release) for release in releases]


def rendered(chart, release):
    try:
        texts = chart.render(release["values"], name=release["name"], namespace=release["namespace"])
    except helm_python.HelmError as error:
        return {"error": str(error)}
    texts = {path.split("/templates/")[1]: text for path, text in texts.items()}
    manifests = [text for name, text in sorted(texts.items()) if name.endswith(".yaml")]
    documents = yaml.load_all("\n---\n".join(manifests), yaml.CSafeLoader)
    return {"texts": texts, "objects": [document for document in documents if document]}


def leaves(schema, path=()):
    """Each value with the schema that describes it."""
    for name, value in schema["properties"].items():
        if "properties" in value:
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def values(schema):
    text = "# Generated from values.schema.json, where all values are described. After a change there:\n"
    text += "#   UPDATE_DOCS=1 cargo test --features tools --test deploy helm\n"
    group = None
    for path, value in leaves(schema):
        if len(path) == 1 or path[0] != group:
            text += "\n"
        if len(path) > 1 and path[0] != group:
            text += f"{path[0]}:\n"
        group = path[0]
        lines = textwrap.wrap(value["description"], 96)
        lines = [f"# {line}" for line in lines] + [f"{path[-1]}: {json.dumps(value['default'])}"]
        lines += [f"#{path[-1]}: {json.dumps(example)}" for example in value.get("examples", [])]
        text += textwrap.indent("\n".join(lines), "  " * (len(path) - 1)) + "\n"
    return text


def table(schema):
    rows = "| value | default | |\n| --- | --- | --- |\n"
    for path, value in leaves(schema):
        description = value["description"]
        for example in value.get("examples", []):
            description += f" Example: `{json.dumps(example)}`"
        rows += f"| `{'.'.join(path)}` | `{json.dumps(value['default'])}` | {description} |\n"
    return rows


def documents(path):
    with open(f"{path}/values.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    return {"values": values(schema), "table": table(schema)}


commands = {
    "render": render,
    "lint": lambda path: helm_python.lint(path, strict=True),
    "package": lambda path, folder: helm_python.package(path, destination=folder),
    "documents": documents,
}
json.dump(commands[sys.argv[1]](*sys.argv[2:]), sys.stdout)
