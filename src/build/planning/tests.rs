use super::*;
use crate::build::plan::Stage;
