//! Images beyond the two that the first tier builds.

use crate::table::{DEBIAN_12, compare, debian};

/// dracut leaves virtio_net to the root tree, and the image boots all the same: a warning, and nothing is withheld.
#[test]
fn debian_12_with_dracut() {
    let net = ("initrd-virtio-net", "fail", "warning", "virtio_net.ko is not in this initrd");
    compare("debian12_dracut", &[&[net], DEBIAN_12].concat(), &debian("12", 2, false));
}
