//! Reports for pipelines: valid by their schemas, closed to what stands in an image, the same in every run.

mod hostile;
mod outputs;
mod program;
mod schemas;
mod valid;

use std::path::Path;
use std::process::Command;

/// Every instance that a schema refuses: its path, the place, the reason.
const VALIDATE: &str = r#"
import json, sys
from jsonschema.validators import validator_for
schema = json.load(open(sys.argv[1]))
kind = validator_for(schema)
kind.check_schema(schema)
checker = kind(schema, format_checker=kind.FORMAT_CHECKER)
for path in sys.argv[2:]:
    for line in [open(path).read()] if not path.endswith(".ndjson") else open(path):
        for error in checker.iter_errors(json.loads(line)):
            while error.context:
                error = max(error.context, key=lambda inner: len(inner.absolute_path))
            print(path, error.json_path, error.message[:300])
"#;

/// The Python of tests/run, with `arguments` behind the script.
pub fn python<S: AsRef<std::ffi::OsStr>>(script: &str, arguments: impl IntoIterator<Item = S>) -> String {
    let python =
        std::env::var_os("BOOTWORTHY_PYTHON").expect("BOOTWORTHY_PYTHON is not set; run the tests with tests/run");
    let output = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts that every instance is valid.
pub fn valid(schema: &Path, instances: &[impl AsRef<Path>]) {
    assert!(!instances.is_empty());
    let paths = std::iter::once(schema).chain(instances.iter().map(AsRef::as_ref));
    assert_eq!(python(VALIDATE, paths), "", "by {}", schema.display());
}
