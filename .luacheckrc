-- SPDX-License-Identifier: MIT
std = "min"
max_line_length = 120
files["spec"] = { std = "min+busted" }
files["tools"] = { std = "max" }
exclude_files = { "build" }
