# SPDX-License-Identifier: Apache-2.0
# Completion of rowmill's command line for bash.
_rowmill() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i
  local commands="info convert quantize nearest train-vectors verify bench"
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ " $commands " == *" ${COMP_WORDS[i]} "* ]]; then command=${COMP_WORDS[i]}; break; fi
  done
  local input="--dim --header --invalid-utf8 --json --threads --help"
  case $before in
    --format)
      local formats="f32 f64 bf16 f16 int8 int4 int2"
      [[ $command == train-vectors ]] && formats="safetensors npy binary text glove"
      COMPREPLY=($(compgen -W "$formats" -- "$word")); return ;;
    --model) COMPREPLY=($(compgen -W "cbow skip-gram" -- "$word")); return ;;
    --header) COMPREPLY=($(compgen -W "automatic present absent" -- "$word")); return ;;
    --invalid-utf8) COMPREPLY=($(compgen -W "keep replace refuse" -- "$word")); return ;;
    --operation) COMPREPLY=($(compgen -W "gather pool adam" -- "$word")); return ;;
  esac
  if [[ $word != -* && -n $command ]]; then
    compopt -o filenames
    COMPREPLY=($(compgen -f -- "$word"))
    return
  fi
  case $command in
    "") COMPREPLY=($(compgen -W "$commands --threads --version --help" -- "$word")) ;;
    convert | quantize) COMPREPLY=($(compgen -W "$input --tensor --format" -- "$word")) ;;
    nearest) COMPREPLY=($(compgen -W "$input --tensor --queries --count" -- "$word")) ;;
    train-vectors)
      COMPREPLY=($(compgen -W "--output --format --model --dim --window --negative --shared-negatives --min-count \
        --max-vocabulary --sample --alpha --min-alpha --epochs --batch --seed --checkpoint --checkpoint-seconds --resume \
        --json --threads --help" -- "$word")) ;;
    bench) COMPREPLY=($(compgen -W "--operation --rows --dim --ids --bag --seconds --json --threads --help" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$input" -- "$word")) ;;
  esac
}
complete -F _rowmill rowmill
