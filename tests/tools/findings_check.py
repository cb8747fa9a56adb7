"""Reads what `check` prints for other tools, as they do.

Usage: findings_check.py ocsf|junit FILE

ocsf: validates each line against the JSON Schema of its class in the version that it names, and prints the
finding's uid, the status of its control and that of the finding. junit: parses the report, compares the
totals of its suites with their tests, and prints each test with its result. Fails, and says why, on what
is not valid.
"""

import json
import sys

import jsonschema
import junitparser
import ocsf_json_schema


def schema(finding):
    packaged = ocsf_json_schema.get_ocsf_schema(version=finding["metadata"]["version"])
    schemas = ocsf_json_schema.OcsfJsonSchemaEmbedded(packaged)
    name = schemas.lookup_class_name_from_uid(class_uid=finding["class_uid"])
    return schemas.get_class_schema(class_name=name, profiles=finding["metadata"]["profiles"])


def ocsf(path):
    validator = None
    for line in open(path, encoding="utf-8"):
        finding = json.loads(line)
        if validator is None:
            validator = jsonschema.validators.validator_for(schema(finding))(schema(finding))
        errors = [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(finding)]
        if errors:
            sys.exit("\n".join(errors))
        print(finding["finding_info"]["uid"], finding["compliance"]["status"], finding["status"])


def junit(path):
    report = junitparser.JUnitXml.fromfile(path)
    totals = [0, 0, 0, 0]
    for suite in report:
        stated = [suite.tests, suite.failures, suite.errors, suite.skipped]
        totals = [total + number for total, number in zip(totals, stated)]
        suite.update_statistics()
        counted = [suite.tests, suite.failures, suite.errors, suite.skipped]
        if stated != counted:
            sys.exit(f"{suite.name}: says {stated}, has {counted}")
        for case in suite:
            result = case.result[0].__class__.__name__ if case.result else "Passed"
            print(case.classname, case.name, result, sep=": ")
    stated = [report.tests, report.failures, report.errors, report.skipped]
    if stated != totals:
        sys.exit(f"the report says {stated}, its suites {totals}")


{"ocsf": ocsf, "junit": junit}[sys.argv[1]](sys.argv[2])
