// Boost.JSON itself, compiled with this project's flags: -ffunction-sections lets the linker drop what is not used,
// which the distribution's one-object archive does not allow (70 kB of every runtime process).
// Layer: oci. Used by every file here that includes <boost/json/...>.
// SPDX-License-Identifier: Apache-2.0
#include <boost/json/src.hpp>
