"""The commented recipe that `wardround recipe init` writes; a test parses it."""

RECIPE_TEMPLATE = """\
# A Wardround recipe: one training, from task to evaluation. Lines behind '#' show the default or the choices.
name: pneumonia-cxr                  # lower-case letters, digits and '-'; names the model in the registry
# seed: 1                            # initial weights and the order of the examples

task:
  kind: classification
  labels: [normal, pneumonia]        # as in the label table of every hospital
  image:
    modality: [CR, DX]               # DICOM modalities to take in; [MR] or [CT] for volumes
    size: [128, 128]                 # [height, width], or [depth, height, width] for volumes
    # spacing: [3, 1, 1]             # of volumes, in mm between slices, rows, columns; without it they are fitted in
    # bits: 8                        # stored depth: 8 or 16

model:
  builtin: resnet18-gn               # cnn-small | resnet18-gn | cnn3d-gn (volumes) | logistic
  # file: my_model.py                # or your own: a function that returns a tf.keras.Model (logits)
  # function: build
  # non_trainable: refuse            # frozen: keep e.g. batch-norm statistics as they are (they are not aggregated)

algorithm:
  name: fedavg                       # fedavg | fedprox (needs proximal_strength) | fedsgd | mimelite | custom
  # weighting: examples              # or uniform: every hospital counts the same
  client:
    optimizer: sgd                   # sgd | adam | adamw
    learning_rate: 0.02
    # momentum: 0.0                  # sgd only
    epochs: 1                        # passes over the hospital's images in each round
    batch_size: 32
    # schedule: {kind: exponential, factor: 0.5, every: 10}   # or cosine; fedavg and mimelite
  server:
    optimizer: adam                  # sgd | adam | yogi | adagrad
    learning_rate: 0.01
  # process: {file: my_process.py, function: build}   # with name: custom, any tff LearningProcess

aggregation:
  secure: false                      # true: every value sent is a bounded integer, ready to be masked
  robust: {clip: adaptive, zero: true}   # clip: adaptive | none | a norm
  # compressed: false                # 8-bit updates; not together with secure

privacy: {kind: none}

rounds:
  count: 30
  quorum: 2                          # fewer valid updates than this: the round fails, the model stays as it is
  deadline: 30m                      # of one round; s, m, h or d
  # join_deadline: 1h
  # max_failed: 3                    # failed rounds in a row after which the run is abandoned
  early_stop: {metric: val_auc, patience: 5}   # val_auc | val_loss | val_accuracy

evaluation:
  every: 1                           # federated validation every so many rounds; 0: never
  positive: pneumonia                # the label whose score is reported
  # threshold: youden                # or a probability
  # per_site: true                   # publish each hospital's validation figures (not with secure)
"""
