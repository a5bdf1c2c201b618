//! Windows that move over images: convolutions and pooling.
//!
//! Images are `[batch, height, width, channels]`.

use super::builder::GraphBuilder;
use super::op_builder::OpBuilder;
use super::output::Output;
use crate::error::{Error, Result};
use crate::tensor::PartialShape;

/// What surrounds an image so that windows fit (`tensorflow/core/util/padding.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So much that there is a window for every `stride`th pixel.
    Same,
    /// Nothing: windows lie in the image.
    Valid,
    /// So many rows above and below, and columns left and right.
    Explicit {
        /// Rows above and below.
        height: [u32; 2],
        /// Columns left and right.
        width: [u32; 2],
    },
}

impl Padding {
    fn set<'g>(self, op: OpBuilder<'g>) -> OpBuilder<'g> {
        match self {
            Padding::Same => op.attr("padding", "SAME"),
            Padding::Valid => op.attr("padding", "VALID"),
            Padding::Explicit { height, width } => {
                let [top, bottom] = height.map(i64::from);
                let [left, right] = width.map(i64::from);
                let all = [0, 0, top, bottom, left, right, 0, 0];
                op.attr("padding", "EXPLICIT")
                    .attr("explicit_paddings", all)
            }
        }
    }

    /// Returns how many windows there are in a dimension.
    fn windows(self, axis: usize, size: u64, window: u64, stride: u64) -> Option<u64> {
        let padded = match self {
            Padding::Same => return Some(size.div_ceil(stride)),
            Padding::Valid => size,
            Padding::Explicit { height, width } => {
                let [before, behind] = if axis == 0 { height } else { width };
                size.checked_add(before.into())?
                    .checked_add(behind.into())?
            }
        };
        Some((padded + 1).saturating_sub(window).div_ceil(stride))
    }
}

impl GraphBuilder {
    /// Convolves images with filters of shape `[height, width, channels, filters]`, moved by `strides` down
    /// and right: `Conv2D`.
    ///
    /// ```
    /// use savedmodel::graph::{GraphBuilder, Padding};
    /// use savedmodel::{DType, PartialShape, Shape};
    ///
    /// let mut graph = GraphBuilder::new();
    /// let images = PartialShape::try_from([-1, 28, 28, 1])?;
    /// let images = graph.placeholder("images", DType::FLOAT, images)?;
    /// let kernel = graph.variable("conv/kernel", DType::FLOAT, Shape::new(&[3, 3, 1, 8])?)?;
    /// let kernel = graph.read(&kernel)?;
    /// let y = graph.conv2d(&images, &kernel, [2, 2], Padding::Same)?;
    /// assert_eq!(y.shape().to_string(), "[?, 14, 14, 8]");
    /// # Ok::<(), savedmodel::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if images and filters are not of four dimensions, or of other channels, as far as
    /// that is known, or if a stride is 0; otherwise as for [`OpBuilder::build`].
    pub fn conv2d(
        &mut self,
        images: &Output,
        filter: &Output,
        strides: [u32; 2],
        padding: Padding,
    ) -> Result<Output> {
        self.dilated_conv2d(images, filter, strides, padding, [1, 1])
    }

    /// Convolves images with filters whose pixels are `dilations` apart: `Conv2D`.
    ///
    /// # Errors
    ///
    /// As for [`conv2d`](Self::conv2d).
    pub fn dilated_conv2d(
        &mut self,
        images: &Output,
        filter: &Output,
        strides: [u32; 2],
        padding: Padding,
        dilations: [u32; 2],
    ) -> Result<Output> {
        let [_, _, channels, filters] = four("Conv2D", filter)?;
        let image_channels = four("Conv2D", images)?[3];
        // Fewer channels in the filter make groups.
        let fits = |(of_image, of_filter): (u64, u64)| of_image.checked_rem(of_filter) == Some(0);
        if !image_channels.zip(channels).is_none_or(fits) {
            return Err(Error::invalid_argument(format!(
                "op Conv2D: images {} and filters {} are of other channels",
                images.shape(),
                filter.shape()
            )));
        }
        let shape = moved(
            "Conv2D", images, filter, strides, padding, dilations, filters,
        )?;
        let op = self.op("Conv2D").input(images).input(filter);
        let op = padding.set(op.attr("strides", inner(strides)));
        let op = op.attr("dilations", inner(dilations));
        Ok(op.output()?.with_shape(shape))
    }

    /// Convolves each channel with filters of its own, of shape `[height, width, channels, multiplier]`:
    /// `DepthwiseConv2dNative`. Both strides must be equal for TensorFlow to run it.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if images and filters are not of four dimensions, as far as that is known;
    /// otherwise as for [`OpBuilder::build`].
    pub fn depthwise_conv2d(
        &mut self,
        images: &Output,
        filter: &Output,
        strides: [u32; 2],
        padding: Padding,
    ) -> Result<Output> {
        const OP: &str = "DepthwiseConv2dNative";
        let [_, _, channels, multiplier] = four(OP, filter)?;
        let filters = channels.zip(multiplier).and_then(|(a, b)| a.checked_mul(b));
        let shape = moved(OP, images, filter, strides, padding, [1, 1], filters)?;
        let op = self.op(OP).name("depthwise").input(images).input(filter);
        let op = padding.set(op.attr("strides", inner(strides)));
        Ok(op.output()?.with_shape(shape))
    }

    /// Takes the largest pixel of each window of `size`: `MaxPool`.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` if images are not of four dimensions, as far as that is known; otherwise as for
    /// [`OpBuilder::build`].
    pub fn max_pool(
        &mut self,
        images: &Output,
        size: [u32; 2],
        strides: [u32; 2],
        padding: Padding,
    ) -> Result<Output> {
        self.pool("MaxPool", images, size, strides, padding)
    }

    /// Takes the mean of the pixels of each window of `size`, without what surrounds the image: `AvgPool`,
    /// which has no explicit padding.
    ///
    /// # Errors
    ///
    /// As for [`max_pool`](Self::max_pool).
    pub fn avg_pool(
        &mut self,
        images: &Output,
        size: [u32; 2],
        strides: [u32; 2],
        padding: Padding,
    ) -> Result<Output> {
        self.pool("AvgPool", images, size, strides, padding)
    }

    fn pool(
        &mut self,
        op: &str,
        images: &Output,
        size: [u32; 2],
        strides: [u32; 2],
        padding: Padding,
    ) -> Result<Output> {
        check_windows(op, [size, strides])?;
        let [batch, height, width, channels] = four(op, images)?;
        let windows = |axis: usize, pixels: Option<u64>| {
            let (size, stride) = (size[axis].into(), strides[axis].into());
            pixels.and_then(|pixels| padding.windows(axis, pixels, size, stride))
        };
        let shape = match images.shape().rank() {
            Some(_) => {
                PartialShape::new(&[batch, windows(0, height), windows(1, width), channels])?
            }
            None => PartialShape::UNKNOWN,
        };
        let op = self.op(op).input(images).attr("ksize", inner(size));
        let op = padding.set(op.attr("strides", inner(strides)));
        Ok(op.output()?.with_shape(shape))
    }
}

/// An attr that is 1 for batch and channels.
fn inner([height, width]: [u32; 2]) -> [i64; 4] {
    [1, height.into(), width.into(), 1]
}

/// Refuses windows that do not move or hold nothing.
fn check_windows(op: &str, sizes: [[u32; 2]; 2]) -> Result<()> {
    match sizes.as_flattened().contains(&0) {
        true => Err(Error::invalid_argument(format!(
            "op {op}: sizes, strides and dilations of windows are at least 1"
        ))),
        false => Ok(()),
    }
}

/// Returns the four dimensions of images or filters.
fn four(op: &str, x: &Output) -> Result<[Option<u64>; 4]> {
    match x.shape().dims() {
        None => Ok([None; 4]),
        Some(dims) => dims.try_into().map_err(|_| {
            let shape = x.shape();
            Error::invalid_argument(format!("op {op}: {shape} is not of four dimensions"))
        }),
    }
}

/// Returns the shape of images that filters have moved over.
fn moved(
    op: &str,
    images: &Output,
    filter: &Output,
    strides: [u32; 2],
    padding: Padding,
    dilations: [u32; 2],
    filters: Option<u64>,
) -> Result<PartialShape> {
    check_windows(op, [strides, dilations])?;
    let [batch, height, width, _] = four(op, images)?;
    let [filter_height, filter_width, _, _] = four(op, filter)?;
    let windows = |axis: usize, pixels: Option<u64>, size: Option<u64>| {
        let (dilation, stride) = (u64::from(dilations[axis]), u64::from(strides[axis]));
        let (pixels, size) = pixels.zip(size)?;
        let reach = size
            .saturating_sub(1)
            .checked_mul(dilation)?
            .checked_add(1)?;
        padding.windows(axis, pixels, reach, stride)
    };
    let height = windows(0, height, filter_height);
    PartialShape::new(&[batch, height, windows(1, width, filter_width), filters])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    #[test]
    fn windows_are_counted_and_checked() {
        let mut graph = GraphBuilder::new();
        let mut input = |name: &str, dims: &[i64]| {
            let shape = PartialShape::try_from(dims).unwrap();
            graph.placeholder(name, DType::FLOAT, shape).unwrap()
        };
        let images = input("images", &[-1, 7, -1, 3]);
        let filter = input("filter", &[3, 3, 3, 8]);
        let (flat, grey) = (input("flat", &[7, 7]), input("grey", &[3, 3, 2, 8]));
        let same = Padding::Same;
        let y = graph.conv2d(&images, &filter, [2, 2], same).unwrap();
        assert_eq!(y.shape().to_string(), "[?, 4, ?, 8]");
        let y = graph.max_pool(&images, [3, 3], [2, 2], Padding::Valid);
        assert_eq!(y.unwrap().shape().to_string(), "[?, 3, ?, 3]");
        let before = graph.len();
        for (images, filter, strides) in [
            (&flat, &filter, [1, 1]),
            (&images, &flat, [1, 1]),
            (&images, &grey, [1, 1]),
            (&images, &filter, [0, 1]),
        ] {
            assert!(graph.conv2d(images, filter, strides, same).is_err());
        }
        assert!(graph.max_pool(&images, [0, 1], [1, 1], same).is_err());
        let (height, width) = ([1, 1], [1, 1]);
        let explicit = Padding::Explicit { height, width };
        let error = graph
            .avg_pool(&images, [2, 2], [1, 1], explicit)
            .unwrap_err();
        assert!(error.to_string().contains("AvgPool"), "{error}");
        assert_eq!(graph.len(), before, "nothing was added");
    }
}
