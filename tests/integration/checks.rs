//! The checks on saved facts: what passes, what fails and how, and that nothing unknown ever passes.

use bootworthy::guest::Guest;
use bootworthy::verdict::Options;
use bootworthy::verdict::check::CHECKS;
#[test]
fn show() {
    for name in ["healthy", "debian-13", "two-kernels", "ubuntu-initrdless", "directory"] {
        let text = std::fs::read_to_string(format!("fixtures/guests/{name}.json")).unwrap();
        let guest: Guest = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&guest).unwrap() + "\n", text);
        for check in CHECKS {
            let j = check.judge(&guest, &Options::default());
            println!("{name} {} {:?} {:?}", check.id, j.verdict, j.weight);
            for n in j.notes {
                println!("    NOTE {n:?}");
            }
        }
    }
}
