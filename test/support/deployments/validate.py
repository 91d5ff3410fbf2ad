"""What only Python's packages know about the examples.

parse FILE...                         the documents of YAML and JSON files, as one JSON object by file
requests [FILE SERVICE OPERATION]...  whether botocore takes each file as that operation's input
resources FOLDER [FILE TYPE]...       each file as that resource of a CloudFormation template there, for cfn-lint
"""

import json
import os
import sys

import botocore.session
import botocore.validate
import cfnlint.decode.cfn_yaml
import yaml


def parse(*files):
    return {name: documents(name) for name in files}


def documents(name):
    with open(name, encoding="utf8") as file:
        text = file.read()
    if "AWSTemplateFormatVersion" in text:
        return [cfnlint.decode.cfn_yaml.load(name)]
    return list(yaml.safe_load_all(text))


def requests(*given):
    wrong = [line for place in range(0, len(given), 3) for line in request(*given[place : place + 3])]
    if wrong:
        sys.exit("\n".join(wrong))
    return {}


def request(name, service, operation):
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    [given] = documents(name)
    report = botocore.validate.ParamValidator().validate(given, shape)
    if report.has_errors():
        yield f"{name}: {report.generate_report()}"
    for line in outside(given, shape, "input"):
        yield f"{name}: {line}"


def outside(value, shape, path):
    """Values that the model's enumerations lack: ParamValidator leaves these to the service."""
    if shape.type_name == "structure":
        for key, inner in value.items():
            if key in shape.members:
                yield from outside(inner, shape.members[key], f"{path}.{key}")
    elif shape.type_name == "list":
        for place, inner in enumerate(value):
            yield from outside(inner, shape.member, f"{path}[{place}]")
    elif value not in shape.metadata.get("enum", [value]):
        yield f"{path} is {value!r}, expected one of {', '.join(shape.metadata['enum'])}"


def resources(folder, *given):
    made = []
    for name, kind in zip(given[::2], given[1::2]):
        made.append(os.path.join(folder, os.path.basename(name) + ".template.json"))
        with open(made[-1], "w", encoding="utf8") as file:
            json.dump(resource(name, kind), file)
    return made


def resource(name, kind):
    [given] = documents(name)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Example": {"Type": kind, "Properties": capitalized(given)}},
    }


def capitalized(value):
    """CloudFormation writes the same names with capitals; those of a log driver's options are data."""
    if isinstance(value, list):
        return [capitalized(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        key[0].upper() + key[1:]: inner if key == "options" else capitalized(inner)
        for key, inner in value.items()
    }


command, *arguments = sys.argv[1:]
commands = {"parse": parse, "requests": requests, "resources": resources}
json.dump(commands[command](*arguments), sys.stdout)
