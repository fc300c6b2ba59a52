//! An instance's first words from OpenStack, as Nova gives them: an ISO 9660 image with the label `config-2`.
