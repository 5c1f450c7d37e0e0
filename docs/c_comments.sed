# SPDX-License-Identifier: Apache-2.0
# Makes the plain comments of rowmill/c.h into those that Doxygen reads: sed -E -f docs/c_comments.sed
/^\/\* (SPDX|----)/b
s|^/\* The C interface:|/** \\file\n * The C interface:|
s|^/\* |/** |
s|([;,{]) */\* |\1 /**< |
s|^( +[A-Z_0-9]+ = [0-9]+) */\* |\1 /**< |
