//! Builds that are killed at any moment: what they leave is the next build's to take up, and nothing else's.

use super::{archive, build, build_command, names, nothing_is_left, recipe, sum};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Moments, drawn with a fixed seed (the multiplier of Knuth's MMIX).
struct Moments(u64);

impl Moments {
    fn next(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        most.mul_f64(f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX))
    }
}

/// Kills a build from a root archive `count` times, in the same work folder, and lets one run to its end after each
/// `often`: it is the image that an undisturbed build makes.
pub fn at_random_moments(seed: u64, count: usize, often: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = recipe(folder.path(), "tar", &archive("debian13"), "");
    let (alone, killed) = (folder.path().join("alone"), folder.path().join("killed"));
    [&alone, &killed].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let begun = Instant::now();
    let run = build(&alone, &path, &["-q"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (took, expected) = (begun.elapsed(), sum(&alone));
    let mut moments = Moments(seed);
    for number in 1..=count {
        // Every second one begins anew, so that the first stages are met as often as the last.
        let more = if number % 2 == 0 { &["-q"][..] } else { &["-q", "--no-cache"] };
        let moment = moments.next(took);
        let mut child =
            build_command(&killed, &path, more).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        let ended = child.wait().unwrap().code();
        nothing_is_left(&killed);
        let stands = killed.join("disk.qcow2").exists();
        eprintln!("killed after {:.2} s of {:.2} s: {ended:?}", moment.as_secs_f64(), took.as_secs_f64());
        assert_eq!(stands, ended == Some(0), "nothing stands under the name of an image that is not whole");
        if number % often == 0 {
            let run = build(&killed, &path, &["-q"]);
            assert_eq!(run.code, 0, "{}", run.stderr);
        }
        if number % often == 0 || stands {
            assert_eq!(sum(&killed), expected, "after {moment:?}");
            let left: Vec<String> = names(&killed).into_iter().filter(|name| name.starts_with('.')).collect();
            assert!(left.is_empty() && names(&killed.join("work")) == ["cache"], "{left:?}");
            names(&killed).iter().filter(|name| *name != "work").for_each(|name| {
                std::fs::remove_file(killed.join(name)).unwrap();
            });
        }
    }
}

/// Ends a process that was told to end; it must do so by itself.
pub fn signalled(mut child: Child, signal: &str) -> (Option<i32>, String) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{signal} is not heard");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Waits until the build's log has these words.
pub fn until(work: &Path, words: &str) {
    let log = work.join("log");
    for _ in 0..3000 {
        if std::fs::read_to_string(&log).unwrap_or_default().contains(words) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{} has no {words:?}", log.display());
}
