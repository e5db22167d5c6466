/// What other libraries call the things that Tern names: layers, their arguments, settings, flags and
/// verbs, after PyTorch's modules, Keras, timm, ultralytics and Caffe.
enum Synonyms {
  /// A name without case, hyphens, underscores and dots: `MaxPool2d`, `max-pool2d` and `max_pool2d` are one.
  static func plain(_ name: String) -> String {
    String(
      String.UnicodeScalarView(
        name.lowercased().unicodeScalars.filter { !"-_. ".unicodeScalars.contains($0) }))
  }

  /// The names that a plain word may stand for; which of them exist depends on the place.
  static func names(for plain: String) -> [String] { byWord[plain] ?? [] }

  private static let byWord: [String: [String]] = {
    var result: [String: [String]] = [:]
    for (names, words) in table {
      for word in words.split(separator: " ") {
        result[Self.plain(String(word)), default: []] += names.split(separator: " ").map(
          String.init)
      }
    }
    return result
  }()

  /// Tern's names, in the spellings of settings and of flags, and what others call them. A word may
  /// stand in several rows: the first row whose name exists in the place counts.
  private static let table: [(names: String, words: String)] = [
    // Layers.
    ("conv2d", "conv convolution convolution2d convolutional spatial_convolution convnd nn.conv2d"),
    ("conv1d", "convolution1d temporal_convolution nn.conv1d"),
    (
      "conv_transpose2d",
      "deconv deconv2d deconvolution conv_transpose conv2d_transpose transposed_conv up_conv"
    ),
    ("linear", "dense fc fully_connected inner_product affine full addmm nn.linear"),
    ("max_pool2d", "max_pool max_pooling max_pooling2d pool pooling pooling2d nn.maxpool2d"),
    ("avg_pool2d", "avg_pool average_pool average_pooling average_pooling2d mean_pool ave_pool"),
    (
      "adaptive_avg_pool2d",
      "global_avg_pool global_average_pooling global_average_pooling2d global_pool gap adaptive_avg_pool adaptive_pool"
    ),
    ("batch_norm", "bn batch_norm1d batch_norm2d batch_normalization spatial_batch_norm"),
    ("layer_norm", "ln layer_normalization"),
    ("group_norm", "gn group_normalization"),
    ("local_response_norm", "lrn local_response_normalization"),
    ("relu", "rectifier rectified_linear re_lu relu6"),
    ("leaky_relu", "lrelu leaky leaky_rectifier"),
    ("prelu", "parametric_relu p_relu"),
    ("silu", "swish hard_swish hardswish"),
    ("gelu", "gaussian_error_linear quick_gelu"),
    ("sigmoid", "logistic"),
    ("tanh", "tan_h hyperbolic_tangent"),
    ("log_softmax", "log_soft_max"),
    ("dropout", "drop dropout1d dropout2d spatial_dropout drop_out"),
    ("flatten", "view reshape"),
    ("concatenation", "cat concat concatenate merge join depth_concat inception"),
    ("skip_concatenation", "dense_block unet_skip"),
    ("residual", "add eltwise sum plus shortcut skip basic_block bottleneck res_block"),
    ("interpolate", "upsample upsampling upsampling2d resize scale_up"),
    ("embedding", "embed lookup_table"),
    ("rnn_tanh", "rnn simple_rnn elman vanilla_rnn"),
    (
      "transformer_encoder_layer",
      "transformer transformer_block transformer_encoder encoder encoder_layer"
    ),
    ("multi_head_attention", "attention self_attention mha multihead_attention"),
    // Their arguments.
    (
      "kernel_size",
      "kernel ksize k filter_size filter_shape kernel_shape pool_size window window_size size kernel_w kernel_h"
    ),
    (
      "out_channels",
      "filters channels num_output nb_filter n_filters num_filters planes out output_channels out_planes width features"
    ),
    (
      "out_features",
      "units num_output nb_units out output_dim output_size hidden features dim width"
    ),
    ("hidden_size", "units hidden num_units hidden_dim num_output n_hidden cells"),
    ("num_layers", "n_layers layer_count depth"),
    ("num_heads", "heads n_head nhead head_count"),
    ("num_groups", "n_groups"),
    ("stride", "strides subsample step"),
    ("padding", "pad pads border padding_size border_mode"),
    ("dilation", "dilations dilation_rate atrous rate"),
    ("groups", "group n_groups cardinality"),
    ("bias", "use_bias bias_term has_bias with_bias"),
    (
      "p",
      "rate ratio prob probability dropout dropout_ratio dropout_rate drop_rate drop_prob keep_prob"
    ),
    ("eps", "epsilon"),
    ("negative_slope", "alpha slope leakiness leak"),
    ("scale_factor", "scale factor upscale"),
    ("return_sequences", "return_sequence sequences"),
    ("from", "input inputs bottom source sources parents"),
    ("repeat", "times count n repeats"),
    // A model file's keys.
    ("input", "input_shape input_size shape in_shape input_dim"),
    ("classes", "num_classes nc n_classes class_count labels"),
    ("layers", "layer backbone modules network model architecture"),
    ("name", "id label title"),
    ("init", "initializer initialization weight_filler kernel_initializer"),
    // Settings and flags.
    (
      "precision", "amp fp16 bf16 tf32 half use_amp mixed_precision autocast dtype float16 bfloat16"
    ),
    ("lr", "learning_rate base_lr initial_lr init_lr lr0 eta rate"),
    ("lr-min lr_min", "min_lr eta_min final_lr lrf"),
    (
      "batch-size batch_size",
      "batch bs b minibatch mini_batch mini_batch_size train_batch_size per_device_train_batch_size samples_per_gpu"
    ),
    ("epochs", "epoch n_epochs num_epochs nb_epoch max_epoch max_epochs num_train_epochs"),
    ("steps", "iterations iters max_iter max_iters max_iterations max_steps n_iter total_steps"),
    ("weight-decay weight_decay", "wd decay weight_regularization l2_reg"),
    ("momentum", "mom beta"),
    ("betas", "beta1 beta2 adam_betas opt_betas"),
    ("nesterov", "nag use_nesterov"),
    ("optimizer", "opt optim solver solver_type optimiser"),
    (
      "schedule",
      "sched scheduler lr_policy policy lr_schedule lr_scheduler lr_scheduler_type lr_decay_style"
    ),
    (
      "warmup-epochs warmup_epochs",
      "warmup warm_up warmup_iters warmup_steps warmup_ratio lr_warmup"
    ),
    ("lr-gamma lr_gamma", "gamma decay_rate lr_decay lr_factor factor"),
    ("lr-step lr_step", "step_size stepsize decay_epochs lr_step_size lr_drop"),
    ("lr-milestones lr_milestones", "milestones stepvalue decay_milestones lr_steps"),
    ("lr-patience lr_patience", "patience_epochs plateau_patience"),
    (
      "clip-grad clip_grad",
      "grad_clip gradient_clip clip_gradients clip_norm clipnorm max_grad_norm max_norm clip"
    ),
    ("label-smoothing label_smoothing", "smoothing label_smooth"),
    ("class-weights class_weights", "class_weight weights_per_class pos_weight"),
    ("augment", "augmentation augmentations aug aa auto_augment transform transforms"),
    ("normalize", "normalise normalization mean std standardize mean_file mean_value"),
    ("image-size image_size", "imgsz img_size img size resize input_size image_shape crop_size"),
    (
      "validation-split validation_split",
      "val_split valid_split validation_fraction val_fraction holdout split"
    ),
    ("patience", "early_stopping early_stop es_patience"),
    ("folds", "kfold k_folds n_folds cv cross_validation n_splits"),
    ("monitor", "metric save_best_metric eval_metric"),
    ("seed", "random_seed random_state manual_seed rng"),
    ("no-shuffle no_shuffle", "shuffle"),
    ("device", "gpu gpus gpu_id cuda accelerator device_id backend"),
    ("threads", "num_threads n_threads omp_threads cpus cores n_jobs"),
    ("workers", "num_workers n_workers loader_workers data_workers dataloader_num_workers jobs"),
    ("ema", "model_ema ema_decay use_ema"),
    (
      "accumulate",
      "grad_accum grad_accum_steps gradient_accumulation gradient_accumulation_steps accum_iter iter_size"
    ),
    (
      "init",
      "pretrained initial_checkpoint finetune fine_tune load weights load_weights from_pretrained ckpt"
    ),
    ("weights", "checkpoint ckpt model_path params snapshot init"),
    ("freeze", "freeze_layers frozen fix trainable"),
    ("resume", "restore continue ckpt checkpoint resume_from load last"),
    (
      "save-every save_every",
      "snapshot save_interval save_period save_steps save_freq checkpoint_freq checkpoint_every"
    ),
    ("keep-best keep_best", "save_best save_best_only load_best"),
    (
      "log-every log_every",
      "log_interval log_freq logging_steps print_freq print_every display verbose_every"
    ),
    (
      "out",
      "output output_dir out_dir o save_dir save_path outdir project logdir log_dir run_dir work_dir destination"
    ),
    ("output", "out outfile destination"),
    ("input", "in infile samples"),
    ("config", "cfg conf config_file hparams settings"),
    ("set", "override cfg_options opts param"),
    ("data", "dataset data_dir data_path train_data data_root root datadir"),
    ("model", "arch architecture network net"),
    ("dry-run", "check fast_dev_run test_run dryrun"),
    ("profile", "profiler trace"),
    ("top", "topk top_k k"),
    ("index", "sample idx id"),
    ("json", "format as_json machine"),
    ("quiet", "silent q"),
    ("verbose", "debug v"),
    ("allow-fallback", "fallback cpu_fallback"),
    ("checkpoint", "ckpt best epoch which"),
    ("classes", "class_count"),
    // Optimizers and schedules.
    ("sgd", "msgd momentum gradient_descent gd"),
    ("adamw", "adam_w weight_decay_adam"),
    ("rmsprop", "rms_prop_tf"),
    ("cosine", "cos cosine_annealing cosine_annealing_lr cosine_decay"),
    ("one-cycle", "onecycle_lr one_cycle_lr super_convergence"),
    ("step", "step_lr"),
    ("multi-step", "multi_step_lr"),
    ("exponential", "exp exponential_lr"),
    ("plateau", "reduce_lr_on_plateau reduce_on_plateau"),
    ("inverse-sqrt", "inv noam rsqrt inverse_square_root"),
    ("constant", "fixed none flat"),
    // Verbs.
    ("train", "fit learn finetune fine_tune"),
    ("test", "eval evaluate val validate score"),
    ("predict", "infer inference classify detect"),
    ("run", "forward apply infer inference"),
    ("summary", "info describe print show inspect"),
    ("devices", "device gpus device_query list_devices query"),
    ("models", "zoo list list_models model"),
    ("bench", "benchmark time perf speed"),
    ("model", "models network net train"),
    ("export", "save convert"),
    ("import", "load convert"),
    ("plot", "graph draw curves curve"),
    ("sweep", "search hpo grid grid_search"),
    ("lr-find", "lr_finder find_lr range_test lr_range_test"),
    ("verify", "check self_test selftest conformance"),
    ("data", "dataset datasets"),
    ("preview", "show view look"),
  ]
}
