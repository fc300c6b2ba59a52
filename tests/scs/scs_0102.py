"""Runs SCS-0102's and SCS-0104's own functions over one image: its Glance JSON on stdin, the standards' checkout
and the image's size as arguments. With `source NAME` instead of the size: where the standard has that image come from."""

import importlib.util
import json
import sys
from pathlib import Path

from openstack.image.v2.image import Image


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


tests = Path(sys.argv[1]) / "Tests" / "iaas"
metadata = module(tests / "scs_0102_image_metadata" / "image_metadata.py")
standard = module(tests / "scs_0104_standard_images" / "standard_images.py")
if sys.argv[2] == "source":
    sources = standard.SCS_0104_IMAGE_SPECS[sys.argv[3]]["source"]
    print(sources if isinstance(sources, str) else sources[0])
    sys.exit()
body = json.load(sys.stdin)
# What Glance adds to an upload.
body |= {
    "id": "7d0b7a2e-0000-4000-8000-000000000000",
    "created_at": "2026-06-01T00:00:00Z",
    "visibility": "public",
    "os_hidden": False,
    "os_hash_algo": "sha512",
    "size": int(sys.argv[2]),
}
image = Image.existing(**body)
results = {name: getattr(metadata, name)([image]) for name in dir(metadata) if name.startswith("compute_scs_0102_")}
spec = standard.SCS_0104_IMAGE_SPECS[body["name"]]
named = {body["name"]: image}
results["compute_scs_0104_source"] = standard.compute_scs_0104_source(named, spec)
results["compute_scs_0104_image"] = standard.compute_scs_0104_image(named, spec)
for name, result in results.items():
    print(f"{name.removeprefix('compute_')}: {'PASS' if result else 'FAIL'}")
