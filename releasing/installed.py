"""What is installed beside the Python that runs this, as JSON lines. Read from standard input inside an image."""

import json
import sys
from importlib.metadata import distributions

for each in distributions():
    about = each.metadata
    row = {
        "name": about["Name"],
        "version": each.version,
        "license": about.get("License-Expression") or about.get("License"),
        "classifiers": [text for text in about.get_all("Classifier") or [] if text.startswith("License :: ")],
        "requires": each.requires or [],
    }
    sys.stdout.write(json.dumps(row) + "\n")
