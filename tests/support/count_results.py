# SPDX-License-Identifier: BSD-3-Clause
"""Prints `PASSED FAILED SKIPPED`, summed over the JUnit files that are named. A file that is
missing or broken counts as one failure."""
import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
for name in sys.argv[1:]:
    try:
        cases = list(ET.parse(name).iter('testcase'))
    except (OSError, ET.ParseError):
        failed += 1
        continue
    for case in cases:
        kinds = {child.tag for child in case}
        if kinds & {'failure', 'error'}:
            failed += 1
        elif 'skipped' in kinds:
            skipped += 1
        else:
            passed += 1
print(passed, failed, skipped)
