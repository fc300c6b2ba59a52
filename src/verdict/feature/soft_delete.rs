//! Deleted instances that can be brought back.

use super::{Feature, NovaOption, Side};

pub(super) const FEATURE: Feature = Feature {
    name: "soft-delete",
    summary: "a deleted instance can be restored for a while",
    why: "A deleted server is gone at once by default. With an interval it is powered off, kept in the state SOFT_DELETED and reclaimed later.",
    side: Side::Free,
    image: "Nothing. The instance is switched off, not shut down: what it had not written is lost, as with a power failure.",
    needs: &[],
    properties: &[],
    flavor: &[],
    nova: &[NovaOption {
        section: "DEFAULT",
        name: "reclaim_instance_interval",
        value: "86400",
        services: &["nova-api", "nova-compute"],
        since: None,
        effect: "seconds until a deleted instance is reclaimed; 0, the default, deletes at once. The API decides by it and each compute node reclaims by it: the same value everywhere",
        formerly: &[],
    }],
    node: &[
        "a user in the [cinder] section of nova-compute: volumes are detached by a periodic task that has no user's token",
        "`openstack server restore SERVER` brings an instance back, `openstack server delete --force SERVER` does not wait",
    ],
    provision: &[],
    proofs: &[],
    aged: &[
        (
            "set reclaim_instance_interval on the API",
            "on the API and on every compute node alike: set on the API alone, deleted instances stay for good",
        ),
        ("nova restore and nova force-delete", "openstack server restore, and openstack server delete --force"),
        (
            "a deleted instance can be restored whatever happens",
            "it no longer counts against the quota, and a restore is refused where none is left",
        ),
    ],
    source: "Nova conf/compute.py (reclaim_instance_interval), api/openstack/compute/servers.py (_delete), compute/manager.py (soft_delete_instance, _reclaim_queued_deletes)",
};
