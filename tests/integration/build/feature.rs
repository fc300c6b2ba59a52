//! What a new feature costs a builder: one constant. This one stands here, and every stage that it concerns has it.

use bootworthy::build::recipe::Recipe;
use bootworthy::build::{Stage, Wanted, make_plan};
use bootworthy::verdict::feature::{Feature, File, Provision, Side};
use std::path::Path;

static ENTROPY: [Feature; 1] = [Feature {
    name: "entropy",
    summary: "random numbers come from the host",
    why: "An instance that has just started has gathered none of its own.",
    side: Side::Unjudged,
    image: "the driver of virtio-rng",
    needs: &[],
    properties: &[],
    flavor: &[],
    nova: &[],
    node: &[],
    provision: &[
        (
            "any",
            Provision {
                packages: &[],
                initrd_modules: &["virtio_rng"],
                files: &[File { path: "/etc/modules-load.d/entropy.conf", text: "virtio_rng\n" }],
                units: &[],
                kernel: &["CONFIG_HW_RANDOM_VIRTIO"],
            },
        ),
        (
            "debian",
            Provision {
                packages: &["rng-tools5"],
                initrd_modules: &[],
                files: &[],
                units: &["rngd.service"],
                kernel: &[],
            },
        ),
    ],
    proofs: &[],
    aged: &[],
    source: "QEMU, hw/virtio/virtio-rng.c",
}];

/// The plan of a shipped recipe with that feature and no other.
fn planned(name: &str) -> Result<Vec<Stage>, bootworthy::error::Error> {
    let path = format!("recipes/{name}.toml");
    let mut recipe = Recipe::parse(&path, &std::fs::read_to_string(&path).unwrap()).unwrap();
    recipe.features = vec!["entropy".to_owned()];
    let folder = Path::new("recipes");
    let wanted =
        Wanted { recipe: &recipe, features: &ENTROPY, folder, lock: None, source_date_epoch: 86_400, manifests: &[] };
    make_plan(&wanted).map(|plan| plan.stages)
}

#[test]
fn a_feature_is_one_constant() {
    let stages = planned("debian-13").unwrap();
    let has = |holds: &dyn Fn(&Stage) -> bool| stages.iter().any(holds);
    assert!(has(&|stage| matches!(stage, Stage::Tree(tree) if tree.packages.iter().any(|name| name == "rng-tools5"))));
    let text = |stage: &Stage| serde_json::to_string(stage).unwrap();
    for (name, word) in [
        ("kernel", "CONFIG_HW_RANDOM_VIRTIO"),
        ("files", "/etc/modules-load.d/entropy.conf"),
        ("units", "rngd.service"),
        ("initrd", "virtio_rng"),
    ] {
        assert!(has(&|stage| stage.name() == name && text(stage).contains(word)), "{name}: {word}");
    }
    // Where nobody has said what provides it, it is refused before anything is fetched.
    let error = planned("alpine").unwrap_err().to_string();
    assert!(error.contains("nothing is known that provides entropy on alpine; it is there on debian"), "{error}");
}
