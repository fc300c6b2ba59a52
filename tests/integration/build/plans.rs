//! The plans of the shipped recipes, as they stand in `plans/`. `BOOTWORTHY_UPDATE=1` writes them anew.

use super::{build, recipes};
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn plans_of_the_shipped_recipes() {
    let home = tempfile::tempdir().unwrap();
    let recipes = recipes();
    assert_eq!(recipes.len(), 8);
    for recipe in recipes {
        let name = recipe.file_stem().unwrap().to_str().unwrap();
        let run = build(home.path(), &["--plan", recipe.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let notes: Vec<String> = run.stderr.lines().map(str::to_owned).collect();
        let plan: Value = serde_json::from_str(&run.stdout).unwrap();
        let said: Vec<String> =
            plan["notes"].as_array().unwrap().iter().map(|note| format!("note: {}", note.as_str().unwrap())).collect();
        assert_eq!(notes, said, "{name}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/integration/build/plans/{name}.json"));
        if std::env::var_os("BOOTWORTHY_UPDATE").is_some() {
            fs::write(&path, &run.stdout).unwrap();
        }
        let standing = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(run.stdout, standing, "{}; BOOTWORTHY_UPDATE=1 writes it anew", path.display());
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "a plan leaves nothing behind");
}

#[test]
fn no_shipped_recipe_names_a_mirror() {
    for recipe in recipes() {
        let text = fs::read_to_string(&recipe).unwrap();
        assert!(!text.contains("://") && !text.contains("\nmirror"), "{}", recipe.display());
    }
}
