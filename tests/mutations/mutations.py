# SPDX-License-Identifier: Apache-2.0
"""All of them, by what they break."""
import files, lookups, operations, training
from mutation import MUTATIONS
