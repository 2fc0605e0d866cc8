"""The operations that a plan may consist of, each with the attributes that it may have: arithmetic on tensors, control
flow, and reading its own dataset.

Everything else is refused: no files, no network, no Python, no custom libraries, no printing, no variables
or tables that another graph could share. A test reviews every graph of every algorithm, aggregation and model.
"""

import re

_ARITHMETIC = """
    Abs(T) Acos(T) Acosh(T) Add(T) AddN(N,T) AddV2(T) Angle(T,Tout) Asin(T) Asinh(T) Atan(T) Atan2(T)
    Atanh(T) BatchMatMul(T,adj_x,adj_y,grad_x,grad_y) BatchMatMulV2(T,adj_x,adj_y,grad_x,grad_y)
    BatchMatMulV3(Ta,Tb,Tout,adj_x,adj_y,grad_x,grad_y) BiasAdd(T,data_format)
    BiasAddGrad(T,data_format) Bincount(T) BitwiseAnd(T) BitwiseOr(T) BitwiseXor(T) Ceil(T)
    ClipByValue(T) Cos(T) Cosh(T) Cross(T) Cumprod(exclusive,reverse,T,Tidx)
    Cumsum(exclusive,reverse,T,Tidx) CumulativeLogsumexp(exclusive,reverse,T,Tidx)
    DenseBincount(Tidx,T,binary_output) Digamma(T) Div(T) DivNoNan(T) Einsum(equation,N,T) Erf(T)
    Erfc(T) Erfinv(T) Exp(T) Expm1(T) Floor(T) FloorDiv(T) FloorMod(T) Igamma(T) Igammac(T) Inv(T)
    InvGrad(T) Invert(T) IsFinite(T) IsInf(T) IsNan(T) L2Loss(T) LeftShift(T) Lgamma(T) LinSpace(T,Tidx)
    Log(T) Log1p(T) MatMul(transpose_a,transpose_b,T,grad_a,grad_b) Max(keep_dims,T,Tidx) Maximum(T)
    Mean(keep_dims,T,Tidx) Min(keep_dims,T,Tidx) Minimum(T) Mod(T) Mul(T) MulNoNan(T) Neg(T)
    NextAfter(T) Pow(T) Prod(keep_dims,T,Tidx) RealDiv(T) Reciprocal(T) ReciprocalGrad(T) RightShift(T)
    Rint(T) Round(T) Rsqrt(T) RsqrtGrad(T) SegmentMax(T,Tindices) SegmentMean(T,Tindices)
    SegmentMin(T,Tindices) SegmentProd(T,Tindices) SegmentSum(T,Tindices) Sigmoid(T) SigmoidGrad(T)
    Sign(T) Sin(T) Sinh(T) Sqrt(T) SqrtGrad(T) Square(T) SquaredDifference(T) Sub(T)
    Sum(keep_dims,T,Tidx) Tan(T) Tanh(T) TanhGrad(T) TruncateDiv(T) TruncateMod(T)
    UnsortedSegmentMax(T,Tindices,Tnumsegments) UnsortedSegmentMin(T,Tindices,Tnumsegments)
    UnsortedSegmentProd(T,Tindices,Tnumsegments) UnsortedSegmentSum(T,Tindices,Tnumsegments) Xdivy(T)
    Xlog1py(T) Xlogy(T)
"""
_COMPARISON = """
    All(keep_dims,Tidx) Any(keep_dims,Tidx) ApproximateEqual(T,tolerance) ArgMax(T,Tidx,output_type)
    ArgMin(T,Tidx,output_type) Equal(T,incompatible_shape_error) Greater(T) GreaterEqual(T) InTopK(k,T)
    InTopKV2(T) InvertPermutation(T) Less(T) LessEqual(T) LogicalAnd() LogicalNot() LogicalOr()
    NotEqual(T,incompatible_shape_error) Select(T) SelectV2(T) TopK(k,sorted,T)
    TopKV2(sorted,T,Tk,index_type) Where(T)
"""
_NETWORK_LAYERS = """
    AvgPool(ksize,strides,padding,data_format,T) AvgPool3D(ksize,strides,padding,data_format,T)
    AvgPool3DGrad(ksize,strides,padding,data_format,T) AvgPoolGrad(ksize,strides,padding,data_format,T)
    Conv2D(T,strides,use_cudnn_on_gpu,padding,explicit_paddings,data_format,dilations)
    Conv2DBackpropFilter(T,strides,use_cudnn_on_gpu,padding,explicit_paddings,data_format,dilations)
    Conv2DBackpropInput(T,strides,use_cudnn_on_gpu,padding,explicit_paddings,data_format,dilations)
    Conv3D(T,strides,padding,data_format,dilations)
    Conv3DBackpropFilterV2(T,strides,padding,data_format,dilations)
    Conv3DBackpropInputV2(T,strides,padding,data_format,dilations,Tshape)
    DepthwiseConv2dNative(T,strides,padding,explicit_paddings,data_format,dilations)
    DepthwiseConv2dNativeBackpropFilter(T,strides,padding,explicit_paddings,data_format,dilations)
    DepthwiseConv2dNativeBackpropInput(T,strides,padding,explicit_paddings,data_format,dilations) Elu(T)
    EluGrad(T) FusedBatchNormGradV3(T,U,epsilon,data_format,is_training)
    FusedBatchNormV3(T,U,epsilon,exponential_avg_factor,data_format,is_training)
    ImageProjectiveTransformV3(dtype,interpolation,fill_mode)
    LRN(depth_radius,bias,alpha,beta,T) LRNGrad(depth_radius,bias,alpha,beta,T) LeakyRelu(alpha,T)
    LeakyReluGrad(alpha,T) LogSoftmax(T) MaxPool(T,ksize,strides,padding,explicit_paddings,data_format)
    MaxPool3D(ksize,strides,padding,data_format,T)
    MaxPool3DGrad(ksize,strides,padding,data_format,T,TInput)
    MaxPool3DGradGrad(ksize,strides,padding,data_format,T)
    MaxPoolGrad(ksize,strides,padding,explicit_paddings,data_format,T)
    MaxPoolGradGrad(ksize,strides,padding,data_format,T) Relu(T) Relu6(T) Relu6Grad(T) ReluGrad(T)
    ResizeBilinear(T,align_corners,half_pixel_centers)
    ResizeBilinearGrad(T,align_corners,half_pixel_centers)
    ResizeNearestNeighbor(T,align_corners,half_pixel_centers)
    ResizeNearestNeighborGrad(T,align_corners,half_pixel_centers) Selu(T) SeluGrad(T) Softmax(T)
    SoftmaxCrossEntropyWithLogits(T) Softplus(T) SoftplusGrad(T) Softsign(T) SoftsignGrad(T)
    SparseSoftmaxCrossEntropyWithLogits(T,Tlabels)
"""
_SHAPE = """
    BatchToSpaceND(T,Tblock_shape,Tcrops) Bitcast(T,type) BroadcastArgs(T) BroadcastGradientArgs(T)
    BroadcastTo(T,Tidx) Cast(SrcT,DstT,Truncate) CheckNumerics(T,message) Concat(N,T)
    ConcatOffset(N,shape_type) ConcatV2(N,T,Tidx) Const(value,dtype)
    DepthToSpace(T,block_size,data_format) Diag(T) DiagPart(T) DynamicPartition(num_partitions,T)
    DynamicStitch(N,T) EnsureShape(shape,T) ExpandDims(T,Tdim) Fill(T,index_type)
    Gather(validate_indices,Tparams,Tindices) GatherNd(Tparams,Tindices,bad_indices_policy)
    GatherV2(batch_dims,Tparams,Tindices,Taxis) Identity(T) IdentityN(T) MatrixBandPart(T,Tindex)
    MatrixDiagPartV3(T,align) MatrixDiagV3(T,align) MatrixSetDiagV3(T,align) MirrorPad(T,Tpaddings,mode)
    MirrorPadGrad(T,Tpaddings,mode) OneHot(axis,T,TI) OnesLike(T) Pack(N,T,axis) Pad(T,Tpaddings)
    PadV2(T,Tpaddings) ParallelDynamicStitch(N,T) PlaceholderWithDefault(dtype,shape)
    Placeholder(dtype,shape) PreventGradient(T,message) Range(Tidx) Rank(T) Reshape(T,Tshape)
    ReverseV2(Tidx,T) Roll(T,Tshift,Taxis) ScatterNd(T,Tindices,bad_indices_policy) Shape(T,out_type)
    ShapeN(N,T,out_type) Size(T,out_type) Slice(T,Index) SpaceToBatchND(T,Tblock_shape,Tpaddings)
    SpaceToDepth(T,block_size,data_format) Split(num_split,T) SplitV(num_split,T,Tlen)
    Squeeze(T,squeeze_dims) StopGradient(T)
    StridedSlice(T,Index,begin_mask,end_mask,ellipsis_mask,new_axis_mask,shrink_axis_mask)
    StridedSliceGrad(T,Index,begin_mask,end_mask,ellipsis_mask,new_axis_mask,shrink_axis_mask)
    TensorScatterAdd(T,Tindices,bad_indices_policy) TensorScatterUpdate(T,Tindices,bad_indices_policy)
    Tile(T,Tmultiples) Transpose(T,Tperm) UniqueV2(T,Taxis,out_idx) Unique(T,out_idx) Unpack(num,T,axis)
    ZerosLike(T)
"""
_CONTROL_FLOW = """
    Assert(T,summarize) Case(Tin,Tout,branches,output_shapes) ControlTrigger()
    Enter(T,frame_name,is_constant,parallel_iterations) Exit(T)
    If(Tcond,Tin,Tout,then_branch,else_branch,output_shapes) LoopCond() Merge(T,N) NextIteration(T)
    NoOp() PartitionedCall(Tin,Tout,f) StatefulPartitionedCall(Tin,Tout,f)
    StatelessCase(Tin,Tout,branches,output_shapes)
    StatelessIf(Tcond,Tin,Tout,then_branch,else_branch,output_shapes)
    StatelessWhile(T,cond,body,output_shapes,parallel_iterations) Switch(T) _SwitchN(num_outs,T)
    While(T,cond,body,output_shapes,parallel_iterations) EmptyTensorList(element_dtype,shape_type)
    TensorListElementShape(shape_type) TensorListFromTensor(element_dtype,shape_type)
    TensorListGetItem(element_dtype,Tshape) TensorListLength() TensorListPopBack(element_dtype)
    TensorListPushBack(element_dtype) TensorListReserve(element_dtype,shape_type)
    TensorListSetItem(element_dtype,resize_if_index_out_of_bounds)
    TensorListStack(element_dtype,num_elements)
"""
_RANDOM = """
    Multinomial(seed,seed2,T,output_dtype) RandomShuffle(seed,seed2,T)
    RandomStandardNormal(seed,seed2,dtype,T) RandomUniform(seed,seed2,dtype,T)
    RandomUniformInt(seed,seed2,Tout,T) StatelessRandomGetKeyCounter(Tseed) StatelessRandomGetAlg()
    StatelessRandomNormal(dtype,T,Tseed) StatelessRandomNormalV2(dtype,Tshape)
    StatelessRandomUniform(dtype,T,Tseed) StatelessRandomUniformFullInt(dtype,T,Tseed)
    StatelessRandomUniformFullIntV2(dtype,Tshape)
    StatelessRandomUniformInt(dtype,T,Tseed) StatelessRandomUniformIntV2(dtype,Tshape)
    StatelessRandomUniformV2(dtype,Tshape) StatelessTruncatedNormal(dtype,T,Tseed)
    StatelessTruncatedNormalV2(dtype,Tshape) TruncatedNormal(seed,seed2,dtype,T)
"""
_OWN_DATASET = """
    AnonymousIterator(output_types,output_shapes) AnonymousIteratorV2(output_types,output_shapes)
    AnonymousIteratorV3(output_types,output_shapes)
    BatchDatasetV2(parallel_copy,output_types,output_shapes) DeleteIterator()
    FilterDataset(predicate,Targuments,output_types,output_shapes)
    FlatMapDataset(f,Targuments,output_types,output_shapes) IteratorGetNext(output_types,output_shapes)
    IteratorGetNextAsOptional(output_types,output_shapes) MakeIterator()
    MapDataset(f,Targuments,output_types,output_shapes,use_inter_op_parallelism,preserve_cardinality,force_synchronous)
    OptionalFromValue(Toutput_types) OptionalGetValue(output_types,output_shapes) OptionalHasValue()
    OptionalNone() OptionsDataset(output_types,output_shapes)
    ParallelMapDatasetV2(f,Targuments,output_types,output_shapes,use_inter_op_parallelism,deterministic,preserve_cardinality)
    PrefetchDataset(output_types,output_shapes) RangeDataset(output_types,output_shapes)
    ReduceDataset(f,Tstate,Targuments,output_types,output_shapes,use_inter_op_parallelism)
    RepeatDataset(output_types,output_shapes) SkipDataset(output_types,output_shapes)
    TakeDataset(output_types,output_shapes) TensorDataset(Toutput_types,output_shapes)
    TensorSliceDataset(Toutput_types,output_shapes) WindowDataset(output_types,output_shapes)
    ZipDataset(output_types,output_shapes,N)
"""

_ENTRY = re.compile(r"\b(\w+)\(([\w,]*)\)")

# Operation → its attributes. Not among them, though TensorFlow has them: names of resources that graphs share,
# settings of its runtime (`config_proto`, `executor_type`, threads), serialized options and debug texts.
ALLOWED: dict[str, frozenset[str]] = {
    name: frozenset(filter(None, attributes.split(",")))
    for name, attributes in _ENTRY.findall(
        " ".join((_ARITHMETIC, _COMPARISON, _NETWORK_LAYERS, _SHAPE, _CONTROL_FLOW, _RANDOM, _OWN_DATASET))
    )
}

# Attributes that TensorFlow or Keras note on nodes and functions. None of them is kept in what runs.
NOTES = frozenset(
    (
        "_class",
        "_collective_manager_ids",
        "_construction_context",
        "_gradient_op_type",
        "_grappler_ArithmeticOptimizer_AddOpsRewriteStage",
        "_grappler_ArithmeticOptimizer_MinimizeBroadcasts",
        "_has_manual_control_dependencies",
        "_output_shapes",
        "_read_only_resource_inputs",
        "_user_specified_name",
        "config",
        "config_proto",
        "executor_type",
        "metadata",
    )
)
# Without the first, TensorFlow's lowering leaves control flow as it is. Functions that it concerns are reviewed.
FOR_LOWERING = {"_lower_using_switch_merge": "bool", "_num_original_outputs": "int"}
LOWERABLE = frozenset(
    (
        "Case",
        "If",
        "PartitionedCall",
        "StatefulPartitionedCall",
        "StatelessCase",
        "StatelessIf",
        "StatelessWhile",
        "While",
    )
)
