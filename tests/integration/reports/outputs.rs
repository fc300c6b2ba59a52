//! `--output` and `--jobs`: several reports at once, each whole or not at all, the same in every run.

use crate::common::{bootworthy, command, fixture};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use tempfile::TempDir;

const FORMATS: &[&str] =
    &["text", "json", "ndjson", "sarif", "junit", "github", "github-summary", "gitlab", "markdown"];

fn good() -> String {
    fixture("good.qcow2").to_str().unwrap().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_format_stands_in_the_table() {
    let known: Vec<&str> = bootworthy::report::FORMATS.iter().map(|format| format.name).collect();
    assert_eq!(known, FORMATS);
}

#[test]
fn several_at_once() {
    let folder = TempDir::new().unwrap();
    let arg = |format: &str| format!("--output={format}={}/a=b {format}", folder.path().display());
    let run = bootworthy(["check", &good()].into_iter().map(str::to_owned).chain(FORMATS.iter().map(|f| arg(f))));
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let mut expected: Vec<String> = FORMATS.iter().map(|format| format!("a=b {format}")).collect();
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    for format in FORMATS {
        let alone = bootworthy(["check", "--format", format, &good()]);
        let file = fs::read_to_string(folder.path().join(format!("a=b {format}"))).unwrap();
        assert_eq!(file, alone.stdout, "{format}");
        let dash = bootworthy(["check", "-o", &format!("{format}=-"), &good()]);
        assert_eq!(dash.stdout, alone.stdout, "{format}");
    }
    let text = bootworthy(["check", &good()]);
    assert_eq!(run.stdout, text.stdout, "standard output has the text all the same");
}

#[test]
fn equal_between_runs_and_between_1_and_8_workers() {
    let folder = TempDir::new().unwrap();
    let mut images = vec![good(), fixture("broken.qcow2").to_str().unwrap().to_owned(), "no such file".to_owned()];
    for index in 0..6 {
        let copy = folder.path().join(format!("{index}.qcow2"));
        let name = if index % 2 == 0 { "broken.qcow2" } else { "good.qcow2" };
        fs::copy(fixture(name), &copy).unwrap();
        images.push(copy.to_str().unwrap().to_owned());
    }
    images.push(good());
    let run = |jobs: &str, folder: &Path| {
        let outputs = FORMATS.iter().map(|format| format!("--output={format}={}/{format}", folder.display()));
        let run =
            bootworthy(["check", "--jobs", jobs].map(str::to_owned).into_iter().chain(outputs).chain(images.clone()));
        assert_eq!((run.code, run.stderr.as_str()), (1, ""));
        FORMATS.iter().map(|format| fs::read_to_string(folder.join(format)).unwrap()).chain([run.stdout]).collect()
    };
    let folders = [(); 3].map(|()| TempDir::new().unwrap());
    let [one, eight, again]: [Vec<String>; 3] =
        [("1", &folders[0]), ("8", &folders[1]), ("8", &folders[2])].map(|(jobs, folder)| run(jobs, folder.path()));
    for (((format, one), eight), again) in FORMATS.iter().chain(&["stdout"]).zip(&one).zip(&eight).zip(&again) {
        assert!(one == eight && eight == again, "{format} differs");
    }
}

#[test]
fn mistakes_are_told_before_an_image_is_read() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (outputs, told) in [
        (vec!["sarif".to_owned()], "FORMAT=PATH is expected"),
        (vec!["sarif=".to_owned()], "FORMAT=PATH is expected"),
        (vec!["sarf=x".to_owned()], "did you mean sarif?"),
        (vec![format!("json={}", path("none/x"))], "there is no directory"),
        (vec![format!("json={}", path(""))], "it is a directory"),
        (vec![format!("json={}", path("x")), format!("junit={}", path("x"))], "another report goes there already"),
        (vec!["json=-".to_owned(), "junit=-".to_owned()], "standard output has the report as json already"),
    ] {
        let options = outputs.iter().flat_map(|output| ["--output".to_owned(), output.clone()]);
        let run = bootworthy(["check".to_owned(), good()].into_iter().chain(options));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{outputs:?}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
    let run = bootworthy(["check", "--format", "json", "--output", "text=-", &good()]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    for jobs in ["0", "257", "x"] {
        assert_eq!(bootworthy(["check", "--jobs", jobs, &good()]).code, 2);
    }
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn what_was_there_is_replaced_whole_and_keeps_its_mode() {
    let folder = TempDir::new().unwrap();
    let (file, link) = (folder.path().join("report.json"), folder.path().join("link.json"));
    fs::write(&file, "x".repeat(1 << 20)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("report.json", &link).unwrap();
    let run = bootworthy(["check", "--output", &format!("json={}", link.display()), &good()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert_eq!(fs::read_to_string(&file).unwrap(), bootworthy(["check", "--format=json", &good()]).stdout);
    assert!(link.symlink_metadata().unwrap().is_symlink(), "the link is still one");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(folder.path()), ["link.json", "report.json"]);
}

#[test]
fn what_was_there_stays_when_writing_fails() {
    let folder = TempDir::new().unwrap();
    for (format, name) in [("sarif", "report"), ("github-summary", "summary")] {
        let file = folder.path().join(name);
        fs::write(&file, "before").unwrap();
        // A file may hold one block of 512 bytes; what is beyond is EFBIG where SIGXFSZ is ignored.
        let script = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
        let output = std::process::Command::new("sh")
            .args(["-c", script, crate::common::program(), "check", &fixture("broken.qcow2").to_string_lossy()])
            .args(["--output", &format!("{format}={}", file.display())])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains("cannot write it") && told.contains(name), "{told}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before", "{format}");
    }
    assert_eq!(names(folder.path()), ["report", "summary"]);
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let run = bootworthy(["check", "--quiet", "--output", "sarif=/dev/null", "--output=json=/dev/stdout", &good()]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("{\n") && run.stdout.contains("fit (profile openstack)"), "{}", run.stdout);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn the_summary_of_a_job_is_added_to_and_only_where_it_is_named() {
    let folder = TempDir::new().unwrap();
    let summary = folder.path().join("summary.md");
    fs::write(&summary, "# The job\n").unwrap();
    let mut plain = command();
    plain.args(["check", &good()]).env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    assert!(plain.output().unwrap().status.success());
    assert_eq!(fs::read_to_string(&summary).unwrap(), "# The job\n");
    let once = bootworthy(["check", "--format=github-summary", &good()]).stdout;
    for times in 1..=2 {
        let run = bootworthy(["check", "-o", &format!("github-summary={}", summary.display()), &good()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(fs::read_to_string(&summary).unwrap(), format!("# The job\n{}", once.repeat(times)));
    }
}
