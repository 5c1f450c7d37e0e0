// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rowmill/embedding.hpp"
#include "rowmill/error.hpp"
#include "rowmill/gather.hpp"
#include "rowmill/ids.hpp"
#include "rowmill/isa.hpp"
#include "rowmill/optimizer.hpp"
#include "rowmill/plan.hpp"
#include "rowmill/random.hpp"
#include "rowmill/scatter_add.hpp"
#include "rowmill/table.hpp"
#include "rowmill/table_view.hpp"
#include "rowmill/version.hpp"
#include "rowmill/workspace.hpp"
