// This program's own code in memory.
// Layer: sys. Used by shim and nest, whose processes live as long as a container.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace caisson::sys {

// What only starting up needed stays mapped for good otherwise. The pages are the file's: those that are used again
// come back by themselves. source: madvise(2), MADV_DONTNEED
void release_code_pages();

}  // namespace caisson::sys
